"""The claims ledger: what the paper says, and what its own tables and each rung's records say about it.

`claim` reads the claims from assets/claims.yaml; `checks` names the function that looks for each; a check asks
an `evidence` in the paper's terms and gets its answer from the paper's tables (`printed`) or from the records of
one rung (`rung`); `judging` turns the answers into a verdict; `page` writes them all down.

A new claim is an entry in the YAML; if no check looks for it yet, a function in the module of its subject and its
line in `checks`.
"""
