"""Hands the order to the warehouse."""


def handler(order, context):
    return {"sku": order["sku"], "shipped": order["quantity"], "paid": order["payment"]["charged"]}
