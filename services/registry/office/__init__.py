"""The office's desk (`/office`): the inbox of what waits for whom, and what its pages share."""
