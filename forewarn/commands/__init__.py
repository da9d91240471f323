"""What each command does. A module is loaded when its command is called."""
