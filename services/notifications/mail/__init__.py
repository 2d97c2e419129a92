"""What a reminder says (render.py) and how it reaches a mail server (smtp.py)."""
