"""HTTP and nothing else: sessions, the hosts they may talk to, their pace, and what an answer may contain."""
