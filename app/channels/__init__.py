"""Where residents write: one small contract, one file an adapter."""
