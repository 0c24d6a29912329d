"""Rehearsals (演练): a round to practise on, made in one act from a call or round, taken out of view afterwards."""
