"""Tells a person that an order waits. A real one would send a mail."""


def handler(request, context):
    print(f"please approve an order over {request['order']['total']}")
    return {"asked": "the sales desk"}
