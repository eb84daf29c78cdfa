from repro.api import check as check
from repro.api import count as count
from repro.api import model as model
from repro.api import predict as predict
from repro.api import records as records
from repro.api import speed as speed
from repro.api import table as table

__version__: str
