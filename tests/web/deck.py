"""A deck with a card of each kind, whose answers the tests know, and a hostile one."""

CARDS = r"""# Tests

## T1: What does dropout do in eval?

- [x] Nothing
  - The identity.
- [ ] It drops as in training
  - That would be noise in predictions.
- [ ] It scales by 1 - p
  - That was the paper of 2014.

### Hints
- Think of inverted dropout.

### Follow-ups
- T3

### See it
`regdemo dropout --p 0.3`

### Sources
- Srivastava et al. 2014, section 10, https://jmlr.org/papers/v15/srivastava14a.html

## T2: Which of these hold for a mask $m$ with $\mathbb{E}[m] = 1 - p$?

- [x] Its variance is $p(1-p)$
  - A Bernoulli variable.
- [ ] Its variance is p
  - That is the mean of its complement.
- [x] Its values are 0 and 1
  - By definition.

## T3: What is 1/(1-p) at p = 0.5?

### Answer
= 2

Half of the units are kept.

### Wrong answers
- = 0.5: that is the fraction that is kept.

## T4: In training the {{mask}} is drawn again in every {{forward pass}}.

### Answer
Each draw is independent.

## T5: What is printed?

```python show
print(1 + 1)
```

### Answer

```text output
2
```

Addition.

## T6: Why does dropout regularize?

### Answer
It is noise, and

$$\operatorname{Var}[y] = \frac{p}{1-p} x^2$$

### Key points
- noise on the activations
- an ensemble with shared weights

### Hints
- Think of ensembles.
"""

ATTACKS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    "<svg onload=alert(3)><animate onbegin=alert(3)></svg>",
    "[link](javascript:alert(4)) <a href='javascript:alert(4)'>x</a>",
    "[data](data:text/html,<script>alert(5)</script>)",
    "![huge](https://example.org/huge.png) ![inline](data:image/svg+xml;base64,PHN2Zz4=)",
    r"$\text{<script>alert(6)</script>} \href{javascript:alert(6)}{x}$",
    r"$$\text{&lt;img src=x onerror=alert(7)&gt;}$$",
    '[quoted](https://example.org/"onmouseover="alert(8))',
    "`</code><script>alert(9)</script>`",
    "&lt;script&gt;alert(10)&lt;/script&gt;",
    "{{ 7 * 7 }} {% include '/etc/passwd' %} ${7*7}",
    "</textarea></title></style><script>alert(11)</script>",
    "\u202etxt.exe \u0000 \x1b[31m",
)


def hostile():
    """A deck with every attack in every field of a card."""
    said = " ".join(ATTACKS).replace("\n", " ").replace("\x00", "").replace("{{ 7 * 7 }}", "")
    options = f"- [x] right {said}\n  - why {said}\n- [ ] wrong {said}\n  - why {said}\n"
    common = (
        f"\n### Tags\n{said[:40]}\n\n### Hints\n- hint {said}\n\n### See it\n`regdemo dropout --p 0.1; alert(1)`\n"
        f"`regdemo quiz --bank /etc/passwd`\n`rm -rf /`\n\n### Sources\n- source {said}\n"
    )
    recall = f"\n### Answer\nanswer {said}\n\n```html\n{said}\n```\n\n### Key points\n- point {said}\n- other {said}\n"
    return f"# Hostile {said}\n\n## H1: choice {said}\n\n{options}{common}\n## H2: recall {said}\n{recall}{common}"
