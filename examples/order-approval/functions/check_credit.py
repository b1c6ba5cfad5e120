"""Says whether a customer may owe the total of an order."""

LIMIT = 10_000


class CreditRefused(Exception):
    pass


def handler(request, context):
    if request["total"] > LIMIT:
        raise CreditRefused(f"{request['customer']} may owe {LIMIT}, not {request['total']}")
    return {"customer": request["customer"], "approved": True}
