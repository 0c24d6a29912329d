"""The pure ranking core: frozen rules, votes and marks in; places and outcomes out.

Standard library only, exact fractions, no clock and no randomness, so that anybody can install it alone
and get the same bytes. The services call it with their own data, `pingxuan rank` with a published bundle.
"""
