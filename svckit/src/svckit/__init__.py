"""What any service needs to be run behind the Portico router, in a container of its own or in the router's process."""
