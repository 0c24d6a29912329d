"""Lists (名单) and their public notices (公示), made from the rankings that scoring publishes."""
