"""The APIs that sell media, one folder each: typed client, models of requests and answers, recovery of lost answers, kinds of steps."""
