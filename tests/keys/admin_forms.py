"""What forms of the admin are sent."""

CONFIRMED = {"_form_submitted": "on"}


def row(number, unit, period, amount, *, pk="", key="", zone="UTC", reset_hour=0):
    """One limit of the form."""
    values = {
        "id": pk,
        "api_key": key,
        "unit": unit,
        "period": period,
        "amount": amount,
        "zone": zone,
        "reset_hour": reset_hour,
    }
    return {f"limits-{number}-{name}": value for name, value in values.items()}
