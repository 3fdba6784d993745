"""The commands of the command line, by what they are about; one short function a command."""
