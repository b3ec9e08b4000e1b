"""The feed to the phones and the operations from them."""
