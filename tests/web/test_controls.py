"""Sliders: each step of each is a value that its demo takes."""

import pytest

from regdemo import catalog
from regdemo.web import controls


@pytest.mark.parametrize("demo", catalog.demos(), ids=lambda demo: demo.name)
def test_each_slider_goes_from_end_to_end_of_its_range_and_each_step_is_allowed(demo):
    sliders = [one for one in controls.controls(demo, {}) if one.steps]
    for slider in sliders:
        assert (slider.steps[0], slider.steps[-1]) == (slider.range.low, slider.range.high), slider.name
        for step in slider.steps:
            controls.parsed(demo, {slider.name: f"{step}"})
    assert len(sliders) == sum(one.kind in ("number", "integer") for one in demo.ranges)
