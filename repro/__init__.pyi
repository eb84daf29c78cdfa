from repro.cli.api import check as check
from repro.cli.api import count as count
from repro.cli.api import model as model
from repro.cli.api import predict as predict
from repro.cli.api import records as records
from repro.cli.api import speed as speed
from repro.cli.api import table as table

__version__: str
