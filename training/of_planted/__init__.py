"""How the planted models were made, whose causes are known; `training/planted.py` runs it."""
