"""Prints texts and their keys in hex, one pair a line, as Python's own Unicode tables have them."""
import random
import re
import sys
import unicodedata


def key(text):
    folded = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"[\s\-_/]+", "-", folded).strip("-")


def texts():
    # The library may know newer characters than Python: only those that both know.
    known = [c for c in range(1, 0x110000) if unicodedata.category(chr(c)) not in ("Cn", "Cs")]
    for c in known:
        yield chr(c)
    chance = random.Random(int(sys.argv[1]))
    special = " \t\n-_/\u00a0\u2003\u3000\u2028\uff0d\uff3f\u0301\u0345\u00df\u0130\u1e9e\u03a3\ufb01\u0390"
    for _ in range(20000):
        yield "".join(chance.choice(special) if chance.random() < 0.5 else chr(chance.choice(known))
                      for _ in range(chance.randrange(1, 12)))


for text in texts():
    print(text.encode().hex(), key(text).encode().hex())
