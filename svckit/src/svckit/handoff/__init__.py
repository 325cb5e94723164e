"""The handoff: a router passes the accepted socket itself to a replica, and the replica may pass it back."""
