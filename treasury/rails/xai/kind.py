"""What people set up for xAI."""

from treasury.rails.base import Mode
from treasury.rails.kinds import RailKind, Setting
from treasury.rails.xai.rail import XaiRail

XAI = RailKind(
    slug="xai",
    title="xAI prepaid credit",
    about="Buys xAI's prepaid credit: each top-up charges the payment method of the team. xAI has "
    "no sandbox.",
    capabilities=XaiRail.capabilities,
    urls={Mode.LIVE: "https://management-api.x.ai"},
    key_help="A management key that may read and write billing: xAI console, Settings, Management "
    "keys.",
    settings=(
        Setting(
            name="team",
            label="Team",
            help_text="The id of the team whose credit is bought. The payee's destination is the "
            "same.",
            is_required=True,
        ),
    ),
    connect=XaiRail,
)
