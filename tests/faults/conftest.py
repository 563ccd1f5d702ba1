"""The small worlds of other parts: what is tried here is what becomes of them when something fails."""

from tests.faults.small_study import world  # noqa: F401
from tests.modeling.conftest import base, tiny  # noqa: F401 - fixtures, as are all below
from tests.modeling.test_base_files import bert  # noqa: F401
from tests.moto_server import bucket, s3  # noqa: F401
from tests.report.conftest import results_of  # noqa: F401
from tests.study.conftest import charts_are_not_drawn, models_are_timed_once, tiny_world, write_study  # noqa: F401
from tests.study.test_output_folder import before, study_of  # noqa: F401
from tests.study.test_worker import run as run_study  # noqa: F401
