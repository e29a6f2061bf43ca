"""What is said of a number outside its bounds: the number, too, and not only the bound."""

BOUNDS = {
    "min_value": "%(show_value)s is too small: it must be %(limit_value)s or more.",
    "max_value": "%(show_value)s is too large: it must be %(limit_value)s or less.",
}
