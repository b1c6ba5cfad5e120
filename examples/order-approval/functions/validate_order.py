"""Adds an order up, and refuses one that cannot be shipped."""


class InvalidOrder(Exception):
    pass


def handler(order, context):
    lines = order.get("lines") or []
    if not order.get("customer"):
        raise InvalidOrder("the order names no customer")
    if not lines:
        raise InvalidOrder("the order has no lines")
    for line in lines:
        if line.get("quantity", 0) <= 0:
            raise InvalidOrder(f"the quantity of {line.get('sku')} is not positive")
    return {"total": sum(line["quantity"] * line["price"] for line in lines), "lines": lines}
