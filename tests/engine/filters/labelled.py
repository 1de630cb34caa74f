"""A labelled set of our own: lines with what is in them, and lines that only look like it.

Some are in it that no detector finds, so that the table shows what to expect.
What is marked `<kind:text>` must be found as that kind; nothing else may be. Numbers are from
ranges for examples and tests, or made up; no line is of a real person.
"""
# ruff: noqa: RUF001, PLE2515, E501

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# Split in two, so that no scanner of repositories takes an example for a key.
SK, ANT, GH, AWS = "sk-" + "proj-", "sk-" + "ant-", "gh" + "p_", "AK" + "IA"

LINES = rf"""
write to <email:alice@example.com> please
<email:alice@example.com>
"Bob" <<email:bob.smith+news@mail.example.co.uk>>
mailto:<email:carol_99@example.org>?subject=Hi
contact: <email:d.e.f@sub.domain.example.io>, or call
E-Mail: <email:max.müller@beispiel.de>
Mail an <email:info@müller-beispiel.de>.
<email:ａｌｉｃｅ＠ｅｘａｍｐｌｅ．ｃｏｍ> in full width
hidden <email:al​ice@exam​ple.com> with zero width
soft <email:dave@exam­ple.net> hyphen
reply to <email:o.connor@example.ie>; thanks
<email:user%relay@example.com> has a percent
('<email:first.last@example.travel>')
two: <email:a1@example.com>, <email:b2@example.com>
courriel : <email:jean.dupont@exemple.fr>
邮箱：<email:wang@example.cn>。谢谢
user=<email:eve@example.com>&x=1
{{"email": "<email:frank@example.com>"}}
<email:UPPER.CASE@EXAMPLE.COM> shouts
<email:x@y.co> is short
<email:grace@example.com>: she wrote it
git@github.com:a/b
git clone git@gitlab.example.com:team/repo.git
scp file deploy@host.example.com:path/to/file
npm i @scope/package@1.2.3
logo image@2x.png is sharp
follow @someone on the site
a@b is not an address
user@localhost here
meet @ 5pm at example.com
price 5@3.50 each
@media (max-width: 600px)
java: @Override public void run()
email address without any at all
icon@3x.webp and icon@2x.jpg
call <phone:+1 (415) 555-2671> now
<phone:+14155552671>
<phone:(415) 555-2671>
<phone:415-555-2671> or <phone:415.555.2671>
my number is <phone:212 555 0123>
tel:<phone:+1-212-555-0187>
<phone:+44 20 7946 0958> in London
<phone:+44 7700 900123> mobile
<phone:+49 30 901820> in Berlin
<phone:+49 (0)30 901820>?
<phone:+49-89-636-48018>
<phone:0049 30 901820>
Tél. <phone:+33 1 42 68 53 00>
<phone:+33 6 12 34 56 78>
<phone:+39 06 6982> Roma
<phone:+34 912 345 678> Madrid
<phone:+31 20 794 0800>
<phone:+41 44 668 18 00> Zürich
<phone:+43 1 58858-0> Wien
<phone:+48 22 607 41 00>
<phone:+46 8 505 120 00>
<phone:+81 3-3224-5000> Tokyo
<phone:+86 10 6552 9988> Beijing
<phone:+91 11 2301 2345> Delhi
<phone:+55 11 3061-2000> São Paulo
<phone:+61 2 9374 4000> Sydney
<phone:+971 4 366 8888> Dubai
<phone:+27 21 480 7700> Cape Town
<phone:＋１ ４１５ ５５５ ２６７１> in full width
<phone:+1 415‑555‑2671> with unbroken dashes
<phone:+1 415 555 2671> with unbroken spaces
WhatsApp <phone:+90 212 336 26 00>, evenings
phones <phone:+1 415 555 2671> / <phone:+1 415 555 2672>
order 123456789
1700000000
timestamp 1700000000123 ms
version 10.0.19041.1234
on 2024-01-15 at 10:00
2024-01-15 10:00:00
from 01/02/2024 to 03/04/2024
pi is 3.14159265358979
ISBN 978-3-16-148410-0
part no. 12-3456-789
page 12 of 345
1 234 567,89 EUR
$1,234,567.89
invoice 2024-000123
zip 94105-1234
coordinates 37.7749, -122.4194
17 18 19 20 21 22 23
bash: exit 130 after 600 s
commit 5f2a9c1 of 2023
sizes 100 200 300 400
order 4155552671 was shipped
0123456789
room 415, floor 5, desk 2671
12345 67890
SSN <ssn:123-45-6789>
social security: <ssn:219-09-8765>.
<ssn:536 22 4567> with spaces
ssn=<ssn:449-53-1234>;
("<ssn:001-01-0001>")
<ssn:899-99-9999> is the last there is
ＳＳＮ <ssn:１２３-４５-６７８９>
id: <ssn:321‑54‑9876> with unbroken dashes
000-12-3456
666-12-3456
900-12-3456
987-65-4321
123-00-4567
123-45-0000
078-05-1120 is printed on sample cards
219-09-9999 is from an advertisement
123456789
123-456-789
2123-45-6789
123-45-67890
part 123-45-6789-0
10 523 12 4567 8
A123-45-6789
card <credit_card:4111 1111 1111 1111>
<credit_card:4111111111111111>
<credit_card:4111-1111-1111-1111> exp 12/29
Amex <credit_card:3782 822463 10005>
<credit_card:378282246310005>
<credit_card:371449635398431>
MC <credit_card:5555 5555 5555 4444>
<credit_card:5105105105105100>
<credit_card:2223003122003222> of the new range
Discover <credit_card:6011 1111 1111 1117>
<credit_card:6011000990139424>
JCB <credit_card:3530 1113 3330 0000>
Diners <credit_card:3056 930902 5904>
<credit_card:38520000023237>
UnionPay <credit_card:6200000000000005>
<credit_card:6205500000000000004> has nineteen
<credit_card:4222222222222> has thirteen
Maestro <credit_card:6759649826438453>
card no:<credit_card:4242424242424242>, cvc 123
<credit_card:4000 0566 5566 5556> 123
{{"pan":"<credit_card:4012888888881881>"}}
<credit_card:４１１１ １１１１ １１１１ １１１１>
1234567812345678
4111 1111 1111 1112
0000 0000 0000 0000
1111 2222 3333 4444
9999999999999999
id 4111111111111111x
uuid 41111111-1111-4111-8111-111111111111
hex 4111111111111111ab
1700000000000
number 20241115103000
3.4111111111111111
EAN 4006381333931
account 1234 5678 9012 3456
41111111111111111111111 is too long
IBAN <iban:GB82 WEST 1234 5698 7654 32>
<iban:GB82WEST12345698765432>
<iban:DE89 3704 0044 0532 0130 00> bei der Bank
<iban:DE89370400440532013000>
<iban:de89370400440532013000>
<iban:FR14 2004 1010 0505 0001 3M02 606>
<iban:NL91ABNA0417164300>
<iban:ES91 2100 0418 4502 0005 1332>
<iban:IT60X0542811101000000123456>
<iban:CH93 0076 2011 6238 5295 7>
<iban:AT61 1904 3002 3457 3201>
<iban:BE68 5390 0754 7034>
<iban:NO93 8601 1117 947>
<iban:PL61109010140000071219812874>
<iban:SE45 5000 0000 0583 9825 7466>
KONTO <iban:GB82 WEST 1234 5698 7654 32> UND MEHR
iban:<iban:DK5000400440116243>.
GB82 WEST 1234 5698 7654 33
DE89370400440532013001
XX82 WEST 1234 5698 7654 32
AB12CDEF34567890
GB82 WEST
ID DE12 ABCD
from <ip_address:192.168.100.10> today
<ip_address:8.8.8.8> answers
peer=<ip_address:203.0.113.77>:8080
[<ip_address:10.0.0.5>]
<ip_address:2001:db8::ff00:42:8329> too
<ip_address:fe80::1ff:fe23:4567:890a>
http://<ip_address:198.51.100.23>/path
http://[<ip_address:2001:db8:85a3::8a2e:370:7334>]/
<ip_address:::ffff:203.0.113.5> mapped
deny <ip_address:203.0.113.0>/24
192.168.100.1000
256.1.1.1
1.2.3
v1.2.3.4
listen 127.0.0.1:8000
bind 0.0.0.0
mask 255.255.255.255
localhost is ::1
std::vector<int> v
Foo::Bar::baz()
12:34:56
00:1A:2B:3C:4D:5E is a MAC
a::b
face::feed
1.2.3.4.5
section 3.1.4
key <api_key:{SK}abcDEF1234567890abcDEF1234567890>
<api_key:{ANT}api03-AbCdEfGhIjKlMnOpQrSt0123456789>
export OPENAI_API_KEY=<api_key:sk-1234567890abcdefghijABCDEFGHIJ1234567890abcdefgh>
<api_key:{AWS}IOSFODNN7EXAMPLE>
token <api_key:{GH}0123456789abcdefghijABCDEFGHIJ012345>
<api_key:github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuv>
<api_key:glpat-ABCDEFGHIJ0123456789>
<api_key:AIzaSyA1234567890abcdefghijklmnopqrstuv>
slack <api_key:xoxb-123456789012-abcdefABCDEF>
<api_key:gai_0123456789ABCDEFGHIJabcdefghijKLMNOPQRSTUVW>
<api_key:gsk_0123456789abcdefghijABCDEFGHIJ0123456789abcdefghijAB>
Bearer <api_key:hf_abcdefghijABCDEFGHIJ01234567890123>
"<api_key:sk_live_0123456789abcdefABCDEF>"
<api_key:sk-or-v1-0123456789abcdef0123456789abcdef0123456789abcdef>
sk-learn-is-a-library-of-machine-learning
task-1234567890123456789012
risk-assessment-of-the-whole-project
AKIA is a prefix
the gh_ prefix and ghp_short
xoxo-lots-of-love
AIzaTooShort
gai_short
jwt <jwt:eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U>
Bearer <jwt:eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UifQ.>
?token=<jwt:eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJhcGkifQ.c2lnbmF0dXJl>
cookie: session=<jwt:eyJ0eXAiOiJKV1QifQabc.eyJ1aWQiOjQyfQabcdef.ab-cd_ef>; Path=/
{{"id_token":"<jwt:eyJraWQiOiIxMjMifQaa.eyJlbWFpbCI6ImEifQ.Zm9vYmFy>"}}
eyJhbGciOiJIUzI1NiJ9 alone is a header
eyJ.eyJ.x
base64 ZXlKaGJHY2lPaUpJVXpJMU5pSjk=
<email:bob [at] example.com> hides from machines
<phone:4155552671> is my number
Ruf mich an: <phone:030 901820>
my social is <ssn:123456789>
<iban:GB82WEST 12345698 765432> in odd groups
card <credit_card:41 11 11 11 11 11 11 11>
The quick brown fox jumps over the lazy dog.
Größe 12 µm, ½ Liter, 3 × 4 cm
def add(a: int, b: int) -> int: return a + b
SELECT * FROM users WHERE id = 42;
敏捷的棕色狐狸跳过懒狗。
""".strip().splitlines()

_MARK = re.compile(r"<([a-z_]+):((?:[^<>])+)>")
_KINDS = {"api_key", "jwt", "email", "iban", "credit_card", "ssn", "ip_address", "phone"}


@dataclass(frozen=True)
class Line:
    """`finds` are kind, start and end in `text`."""

    text: str
    finds: frozenset[tuple[str, int, int]]


def lines() -> Iterator[Line]:
    for marked in LINES:
        text, finds, last = "", [], 0
        for mark in _MARK.finditer(marked):
            if mark[1] not in _KINDS:
                continue
            text += marked[last : mark.start()]
            finds.append((mark[1], len(text), len(text) + len(mark[2])))
            text += mark[2]
            last = mark.end()
        yield Line(text + marked[last:], frozenset(finds))
