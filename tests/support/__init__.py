"""What the end-to-end tests stand on: real servers, the agent, and waiting for conditions."""
