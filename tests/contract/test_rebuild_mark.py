"""Tables whose deletion was cut off are no tables: a worker refuses them until the rebuild was run to its end."""

from __future__ import annotations

import pytest

from stream.errors import OperatorError
from tests.contract.conftest import MakeTables


async def test_tables_whose_deletion_was_cut_off_are_refused(tables: MakeTables) -> None:
    made = tables()
    await made.open()
    await made.begin_deletion()

    with pytest.raises(OperatorError, match=r"rebuild of namespace .* was cut off"):
        await tables().open()

    await made.store.commands([("UNLINK", made.keys.made())])
    await tables().open()
