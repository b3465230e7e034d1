"""A company's own model by sentence-transformers' own classes, from a small folder made here: no download, no stand-in."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.cli import main
from bot.embedders import OWN, Ladder
from crm_core.config import MaterialsPart
from tests.unit.bot.test_cli_eval_scripts import QUERIES, SCRIPTS

pytestmark = [
    pytest.mark.st,
    pytest.mark.skipif(find_spec("sentence_transformers") is None, reason="pip install torch==2.13.0, then .[st]"),
    pytest.mark.filterwarnings("ignore"),  # what torch and transformers say of each other is not ours
]
LETTERS = sorted({letter for letter in SCRIPTS + QUERIES if not letter.isspace()})


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers, 32 numbers a token, one token a letter; its weights are drawn once from a fixed seed."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizer

    torch.manual_seed(7)
    raw, made = tmp_path_factory.mktemp("raw"), tmp_path_factory.mktemp("model")
    (raw / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS]), "utf-8")
    config = BertConfig(
        vocab_size=len(LETTERS) + 5,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(raw)
    BertTokenizer(str(raw / "vocab.txt")).save_pretrained(raw)
    word = Transformer(str(raw), max_seq_length=64)
    pooling = Pooling(32, pooling_mode="mean")
    SentenceTransformer(modules=[word, pooling], device="cpu").save(str(made))
    return made


def ladder(folder: Path, prefix: str = "") -> Ladder:
    part = MaterialsPart(embedder=OWN, embedder_model=str(folder), embedder_query_prefix=prefix)
    return Ladder(part)


def test_a_folder_loads_and_makes_unit_vectors_by_side(model_folder: Path) -> None:
    loaded = ladder(model_folder)
    embedder = loaded.embedder()
    assert embedder is not None, loaded.fallen
    assert embedder.model == f"{OWN}:{model_folder}:"
    one, same, other = embedder.embed(["怎么退货", "怎么退货", "额度"], as_query=False)
    assert len(one) == 32
    assert sum(part * part for part in one) == pytest.approx(1, abs=1e-4)
    assert one == pytest.approx(same, abs=1e-5)
    assert one != pytest.approx(other, abs=1e-2)
    prefixed = ladder(model_folder, "退").embedder()
    assert prefixed is not None
    (asked,), (told,) = prefixed.embed(["开票"], as_query=True), prefixed.embed(["开票"], as_query=False)
    assert asked != pytest.approx(told, abs=1e-3)
    assert prefixed.model != embedder.model, "vectors of another prefix are never compared"


def test_the_same_folder_is_measured_by_the_command(model_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "scripts.tsv").write_text(SCRIPTS, "utf-8")
    (tmp_path / "queries.tsv").write_text(QUERIES, "utf-8")
    result = CliRunner().invoke(main, ["eval", "scripts", str(tmp_path), "--rung", "st", "--model", str(model_folder)])
    assert result.exit_code == 0, result.output
    assert OWN in result.stdout
    assert "hit@1" in result.stdout.splitlines()[-1]
