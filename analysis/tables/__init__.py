"""What was found as text: Markdown, CSV, JSON, LaTeX, HTML and the terminal."""
