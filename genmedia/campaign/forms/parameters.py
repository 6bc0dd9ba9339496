"""Parameters that several forms share."""

from typing import Annotated, Any

from genmedia.campaign.brief import Measure, OnFailure
from genmedia.forms.fields import field
from genmedia.forms.names import Labels as AnyLabels
from genmedia.forms.names import Name

CampaignName = Annotated[
    Name,
    field("Name", "What this is called in the gallery, in tags and in the names of folders.", example="spring-sale"),
]
Photo = Annotated[
    str,
    field(
        "Photo",
        "The picture that goes in where the steps say {photo}: a path, store:PATH, a path copied from the gallery, or an https address.",
        example="photos/coffee.jpg",
    ),
]
Words = Annotated[
    str,
    field(
        "Prompt",
        "The words that stand where the steps say {prompt}; where no step says it, they are not used.",
        example="A cup of coffee on a windowsill",
    ),
]
Variables = Annotated[
    dict[str, Any],
    field(
        "Variables",
        "Values for the variables of a campaign's file, by name; those that are left out have their defaults.",
        example={"product": "cup"},
    ),
]
DoneWithout = Annotated[
    dict[Measure, list[str]],
    field(
        "Done without",
        "By the measure of `when_short`, the items for which a saved plan takes it; `genmedia apply PLAN` fills that in.",
        example={"pause": ["page-1"]},
    ),
]
Approved = Annotated[
    str,
    field(
        "Approved plan",
        "Hash of the plan that somebody agreed to; `genmedia apply` fills that in, and nothing else is bought then.",
        example="20b182eba56ae540eb581e4f5804eca737a4721007dee8dd275dfb9edae5c777",
    ),
]
OnlyRows = Annotated[
    list[str],
    field(
        "Rows",
        "Names of the rows of a campaign's file that are made now, with what they are made of; empty for all of them.",
        example=["MUG-01"],
    ),
]
Budget = Annotated[
    float | None,
    field(
        "Budget in credits",
        "Nothing is bought if what is not there yet would cost more than this. Leave it empty for no limit.",
        example=10,
        ge=0,
        allow_inf_nan=False,
    ),
]
BudgetInUsd = Annotated[
    float | None,
    field(
        "Budget in USD",
        "The same for FLORA where it names its prices in USD instead of credits, as it does today.",
        example=1,
        ge=0,
        allow_inf_nan=False,
    ),
]
_LABELS = {
    "client": ("Client", "acme"),
    "project": ("Project", "spring-sale"),
    "cost_centre": ("Cost centre", "c7"),
}
Labels = Annotated[
    AnyLabels,
    field(
        "Labels",
        "Whom it is bought for. They stand in the ledger, in manifest.csv and beside each file; others than these can be given as JSON.",
        shown={
            "properties": {
                name: {"type": "string", "title": title, "description": f"Example: {example}", "examples": [example]}
                for name, (title, example) in _LABELS.items()
            }
        },
    ),
]
Take = Annotated[
    int,
    field(
        "Take",
        "1 buys what is not there yet. Raise it to buy all of it once more on purpose.",
        example=2,
        ge=1,
    ),
]
Marks = Annotated[
    str,
    field(
        "Marks from the gallery",
        "`journal` for the verdicts that people gave in a served gallery or on the command line; or what Copy below Your marks in the "
        "gallery gives, or the path of a file that it exported. What is marked retake is bought as the next take, and nothing else. Empty "
        "for none.",
        example="journal",
    ),
]
Unmarked = Annotated[
    bool,
    field(
        "Buy unmarked too",
        "With marks: buy as well what is neither stored nor marked. What is marked reject is not bought again in any case.",
    ),
]
AtOnce = Annotated[
    int,
    field("At once", "How many jobs may be under way at the same time, 1 to 50.", example=4, ge=1, le=50),
]
Attempts = Annotated[
    int,
    field(
        "Attempts",
        "How often something is tried in all when its job fails at the provider, within the budget. What a provider refuses to make is not "
        "tried again.",
        example=2,
        ge=1,
        le=5,
    ),
]
ItemsPerRun = Annotated[
    int,
    field(
        "Items in a run",
        "Of a run on a worker that has more than this to buy: most items of each of the runs that it is cut into, 200 to 1000. The run of "
        "the whole is suspended meanwhile, and ends when they have ended.",
        example=500,
        ge=200,
        le=1000,
    ),
]
WhenOneFails = Annotated[
    OnFailure,
    field(
        "When a step fails",
        "continue: what the step feeds is not bought, everything else is. stop: nothing more is bought. What runs is waited for.",
    ),
]
StoreName = Annotated[
    str,
    field("Store", "Name of the saved Asset Store block that takes the files.", example="default"),
]
QueueMinutes = Annotated[
    float,
    field("Minutes to wait for a start", "How long a job may wait before the provider begins it.", example=30, gt=0),
]
RunMinutes = Annotated[
    float,
    field("Minutes to run", "How long a job may take once it has begun.", example=60, gt=0),
]
Priority = Annotated[
    int,
    field(
        "Priority",
        "Jobs with a higher number begin sooner than others of the account; 0 is the usual.",
        example=5,
        ge=-1000,
        le=1000,
    ),
]


Looked = Annotated[
    str,
    field(
        "Store",
        "Name of the saved Asset Store block whose journal is looked through; empty for every one that is saved.",
        example="default",
    ),
]


def payer(provider: str, title: str = "Account") -> Any:
    """Make the field that names the account that pays at a provider."""
    return field(title, f"Name of the saved {provider} Credentials block that pays.", example="default")
