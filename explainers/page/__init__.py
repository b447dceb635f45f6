"""The page: give a text, a picture or both, and see what changed the model's score.

The files with Gradio: `layout` and `views` make the fields, `fields` names them, `events` connects
them with handlers, `api` is the function for other programs, `program` starts the page. `lent`
imports Gradio only where a host lends a GPU. No other file knows Gradio.

The handlers take values by name and return changes by name. `choosing` fills in fields, `asking`
answers a question with the maps of `answers`, and `running` shows how far a long computation is and
ends it when a newer question is asked. `checks`, `imagining` and `files` are behind the other
views. `links` writes and reads the address. `state` holds what a visitor chose, `options` the
changed options, `examples` the examples. `loading` loads models, and `pieces` makes small pieces of
HTML.
"""
