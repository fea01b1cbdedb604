"""The official client against a real process."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest

anyio = pytest.importorskip("anyio", reason="needs the extra mcp: pip install 'regdemo[mcp]'")
mcp = pytest.importorskip("mcp", reason="needs the extra mcp: pip install 'regdemo[mcp]'")
from mcp.client.stdio import stdio_client  # noqa: E402
from mcp.server.mcpserver import exceptions  # noqa: E402

from regdemo.mcp import server  # noqa: E402
from regdemo.quiz.history import read, read_rows  # noqa: E402

PATIENCE = 100  # seconds


def talk(home, conversation):
    """Run a conversation with a server that was started for it; what it returns."""

    async def run():
        parameters = mcp.StdioServerParameters(
            command=sys.executable,
            args=["-m", "regdemo", "mcp", "--home", str(home)],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        with anyio.fail_after(PATIENCE):
            async with stdio_client(parameters) as (reader, writer), mcp.ClientSession(reader, writer) as client:
                await client.initialize()
                return await conversation(client)

    return anyio.run(run)


async def call(client, tool, /, **arguments):
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return result.structured_content


async def refused(client, tool, /, **arguments):
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    return " ".join(part.text for part in result.content)


def response(question):
    return {
        "choice": "a",
        "multi": "ab",
        "numeric": "1",
        "cloze": ";".join("x" * question["gaps"]),
        "predict": "0",
    }.get(question["kind"], "I say so.")


def test_an_interview_of_ten_questions_runs_to_its_score_card_and_is_in_the_stats(tmp_path):
    async def conversation(client):
        question = (await call(client, "start_mock", minutes=30))["question"]
        for _ in range(10):
            told = await call(client, "submit_answer", token=question["token"], response=response(question), sure=60)
            assert set(told) == {"recorded", "say"}
            question = await call(client, "next_question")
        card = await call(client, "finish_mock")
        for waiting in card.get("to_grade", ()):
            await call(client, "grade_recall", token=waiting["token"], made=[])
        if "to_grade" in card:
            card = await call(client, "finish_mock")
        return card, await call(client, "stats")

    card, stats = talk(tmp_path, conversation)
    assert (card["asked"], card["ungraded"]) == (10, 0)
    assert stats["answers"] == 10
    assert len(read(tmp_path)) == 10


def test_every_tool_says_when_to_call_it_and_bounds_its_input(tmp_path):
    async def conversation(client):
        return (await client.list_tools()).tools

    tools = {tool.name: tool for tool in talk(tmp_path, conversation)}
    assert all(len(tool.description) > 40 for tool in tools.values())
    demos = {one["title"]: one for one in tools["run_demo"].input_schema["properties"]["parameters"]["anyOf"]}
    dropout = demos["dropout"]
    assert dropout["properties"]["p"]["minimum"] == 0
    assert dropout["properties"]["p"]["maximum"] < 1
    assert "label-smoothing" in demos
    assert tools["submit_answer"].input_schema["properties"]["response"]["maxLength"] == 20_000


def test_bad_input_is_refused_and_the_next_call_works(tmp_path):
    async def conversation(client):
        question = await call(client, "next_question", kind="numeric")
        token = question["token"]
        said = [
            await refused(client, "submit_answer", token=token, response="x" * 10_000_000),
            await refused(client, "submit_answer", token=token, response=7),
            await refused(client, "submit_answer", token="nonsense", response="1"),
            await refused(client, "submit_answer", token=token, response="1", sure=101),
            await refused(client, "submit_answer", response="1"),
            await refused(client, "next_question", level="guru"),
            await refused(client, "run_demo", name="no-such-demo"),
            await refused(client, "run_demo", name="dropout", parameters={"p": 2}),
            await refused(client, "run_demo", name="dropout", parameters={"q": 0.1}),
            await refused(client, "run_demo", name="dropout", p=0.3),
            await refused(client, "undo", token=token),
            await refused(client, "start_mock", minutes=0),
            await refused(client, "check_code", name="no_such_kata", source=""),
            await refused(client, "search", words="..."),
        ]
        assert all(len(one) < 5_000 for one in said), [len(one) for one in said]
        prompts = []
        for asked in ({"minutes": "-5"}, {"level": "junior"}):
            with pytest.raises(mcp.MCPError) as error:
                await client.get_prompt("interview", asked)
            prompts.append(str(error.value))
        return said, prompts, await call(client, "submit_answer", token=token, response="1")

    said, prompts, told = talk(tmp_path, conversation)
    assert "at least 0 and below 1" in said[7]
    assert "run_demo has no argument 'p': it has name, parameters, seed" in said[9]
    assert "undo has no argument 'token': it has none" in said[10]
    assert "minutes = '-5': choose from 1 to 240" in prompts[0]
    assert "level = 'junior': choose screen, onsite, deep dive, staff" in prompts[1]
    assert told["verdict"] in ("Right", "Wrong")
    assert len(read(tmp_path)) == 1


def test_an_error_inside_a_tool_is_told_by_its_name():
    class Desk:
        def undo(self):
            raise LookupError("a path that nobody should see")

    async def call():
        with pytest.raises(exceptions.UnexpectedToolError) as caught:
            await server.build(Desk()).call_tool("undo", {})
        return str(caught.value)

    assert anyio.run(call) == "Error executing tool undo: an error inside regdemo (LookupError)"


def test_demos_pitfalls_code_and_resources_come_over_the_wire(tmp_path):
    async def conversation(client):
        report = await call(client, "run_demo", name="dropout", parameters={"p": 0.3})
        pitfall = await call(client, "show_pitfall", name="no-rescale")
        verdict = await call(client, "check_code", name="dropout", source="def dropout(")
        guide = await client.read_resource("regdemo://guide")
        decks = await client.read_resource("regdemo://decks")
        reports = await client.read_resource("regdemo://reports")
        prompt = await client.get_prompt("interview", {"minutes": "15", "level": "staff"})
        return report, pitfall, verdict, guide, decks, reports, prompt

    report, pitfall, verdict, guide, decks, reports, prompt = talk(tmp_path, conversation)
    assert report["parameters"]["p"] == 0.3
    assert report["claims"]
    assert pitfall["title"]
    assert verdict["state"] == "unloadable"
    assert "dropout" in guide.contents[0].text
    assert all(set(row) == {"topic", "id", "question"} for row in json.loads(decks.contents[0].text))
    assert [one["title"] for one in json.loads(reports.contents[0].text)] == [pitfall["title"], report["title"]]
    assert "15 minutes at the level staff" in prompt.messages[0].content.text


def test_an_answer_outlives_a_server_that_is_killed_after_it(tmp_path):
    async def conversation(client):
        question = await call(client, "next_question", kind="recall")
        await call(client, "submit_answer", token=question["token"], response="The mean is kept.")
        (server,) = [
            int(process.name)
            for process in Path("/proc").iterdir()
            if process.name.isdigit() and str(tmp_path).encode() in (process / "cmdline").read_bytes()
        ]
        os.kill(server, signal.SIGKILL)

    if not Path("/proc").is_dir():
        pytest.skip("needs /proc to find the server")
    try:
        talk(tmp_path, conversation)
    except* Exception:  # the client notices that the server has gone
        pass
    assert [review.response for review in read_rows(tmp_path)[0]] == ["The mean is kept."]


def test_a_terminal_and_two_clients_share_one_history(tmp_path):
    from regdemo.cli import app

    async def answer(client):
        question = await call(client, "next_question", kind="numeric")
        await call(client, "submit_answer", token=question["token"], response="1")
        return question["id"]

    async def first(client):
        await answer(client)

        async def second():
            return await anyio.to_thread.run_sync(talk, tmp_path, answer)

        await second()
        assert await anyio.to_thread.run_sync(app.run, ["history", "check", "--home", str(tmp_path)]) == 0
        await answer(client)

    talk(tmp_path, first)
    assert len(read(tmp_path)) == 3


def test_the_check_says_what_works(tmp_path, capfd):
    from regdemo.mcp import trial

    assert trial.run(None) == 0
    out = capfd.readouterr().out
    assert out.endswith("All of it works.\n")
    assert "✗" not in out
