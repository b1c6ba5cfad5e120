"""Refuses an order that makes no sense."""


class InvalidOrder(Exception):
    pass


def handler(order, context):
    if order.get("quantity", 0) <= 0:
        raise InvalidOrder("the quantity must be positive")
    return order
