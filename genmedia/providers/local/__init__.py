"""Steps that this machine does itself, free of charge: no provider, no account, no job."""
