"""What things are: frozen types, time, money, canonical bytes. Imports nothing else of ours."""
