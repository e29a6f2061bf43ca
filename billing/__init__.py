"""The ledger of credits: who has how many, what is held, what was sold, used and issued, and why.

Billing moves credits and knows neither jobs nor templates: a caller gives a key, which makes the
move happen once, and a reason, which the person reads. 1 credit is 1,000,000 micro-credits; every
amount in code and database is an integer of micro-credits.
"""
