"""The page: give a text, a picture or both, and see what changed the model's score.

A request walks through these files: `fields` and `events` call a handler by names; `choosing`
fills in fields, `asking` answers a question with the maps of `answers`, and `running` shows how far
a long one is and ends it when a newer one is asked; `checks`, `imagining` and `files` stand behind
the other views; `links` writes and reads the address. `state` holds what a visitor chose. Only
`layout`, `views`, `fields`, `events`, `api` and `program` know Gradio.
"""
