"""A checker for vector environments."""


class VectorEnvError(Exception):
    """A rule of vector environments that does not hold."""


def check_vector_env(env) -> None:
    raise NotImplementedError
