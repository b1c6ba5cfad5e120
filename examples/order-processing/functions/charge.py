"""Charges the customer. A real one passes the idempotency key on."""


def handler(order, context):
    return {"charged": order["quantity"] * order["price"], "reference": context.aws_request_id}
