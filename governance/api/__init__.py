"""What every JSON door stands on: keys and scopes, and one answer per idempotency key."""
