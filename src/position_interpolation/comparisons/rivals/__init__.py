"""Methods that the paper does not have, beside those that it has, on a page."""
