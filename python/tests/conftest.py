"""Which tests run where: those beside this file in both environments, against Gymnasium 1.4 and against RLlib's older one; those of
`peers/` only with the libraries of `python/requirements/peers.txt`, those of `rllib/` only with those of `rllib.txt`.
`cargo xtask test --python` runs all of them on the installed wheel."""
