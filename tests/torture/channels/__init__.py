"""Random histories of the delivery worker against each channel's peer, in one process."""
