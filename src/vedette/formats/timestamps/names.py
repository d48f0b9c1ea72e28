"""What programs call months, halves of the day, and zones."""

from __future__ import annotations

import unicodedata
from types import MappingProxyType
from typing import Final

_NAMES: Final = (
    (
        "jan january januar jänner jänn janvier janv ene enero gen gennaio janeiro januari sty stycznia styczeń led ledna "
        "ian ianuarie oca ocak янв января январь січ січня tammi tammikuuta tammikuu ιαν jaan gener siječnja 一月 1月 01月"
    ),
    (
        "feb february februar feber février févr fév febrero febbraio fev fevereiro februari lut lutego luty úno února "
        "februarie şub şubat фев февр февраля февраль лют лютого helmi helmikuuta helmikuu φεβ febr veebr febrer 二月 2月 02月"
    ),
    (
        "mar march märz mär mrz mars marzo março maart mrt marca marzec bře března martie mart мар марта март бер березня "
        "maalis maaliskuuta maaliskuu μαρ márc märts març marts ožujka 三月 3月 03月"
    ),
    (
        "apr april avril avr abr abril aprile kwi kwietnia kwiecień dub dubna aprilie nis nisan апр апреля апрель кві "
        "квітня huhti huhtikuuta huhtikuu απρ ápr aprill travnja 四月 4月 04月"
    ),
    (
        "may mai mayo mag maggio maio mei maj maja kvě května mayıs мая май тра травня touko toukokuuta toukokuu μαϊ μαΐ "
        "máj maig svibnja 五月 5月 05月"
    ),
    (
        "jun june juni juin junio giu giugno junho cze czerwca czerwiec čvn června iunie iun haz haziran июн июня июнь "
        "чер червня kesä kesäkuuta kesäkuu ιουν jún juuni juny lipnja 六月 6月 06月"
    ),
    (
        "jul july juli juillet juil julio lug luglio julho lip lipca lipiec čvc července iulie iul tem temmuz июл июля "
        "июль лип липня heinä heinäkuuta heinäkuu ιουλ júl juuli juliol srpnja 七月 7月 07月"
    ),
    (
        "aug august août aoû agosto ago augustus augusti sie sierpnia sierpień srp srpna ağu ağustos авг августа август "
        "сер серпня elo elokuuta elokuu αυγ agost kolovoza 八月 8月 08月"
    ),
    (
        "sep sept september septembre septiembre set sett settembre setembro wrz września wrzesień zář září septembrie "
        "eyl eylül сен сент сентября сентябрь вер вересня syys syyskuuta syyskuu σεπ szept setiembre setembre rujna 九月 9月 09月"
    ),
    (
        "oct october okt oktober octobre octubre ott ottobre out outubro paź października październik říj října octombrie "
        "eki ekim окт октября октябрь жов жовтня loka lokakuuta lokakuu οκτ oktoober octubre 十月 10月"
    ),
    (
        "nov november novembre noviembre novembro lis listopada listopad listopadu noi noiembrie лис листопада kas kasım ноя нояб "
        "ноября ноябрь marras marraskuuta marraskuu νοε studenoga 十一月 11月"
    ),
    (
        "dec december dez dezember décembre déc dic diciembre dicembre dezembro gru grudnia grudzień pro prosince "
        "decembrie ara aralık дек декабря декабрь гру грудня joulu joulukuuta joulukuu δεκ des desember desembre detsember "
        "prosinca 十二月 12月"
    ),
)
"""Full names and abbreviations, as English, German, French, Spanish, Italian, Portuguese, Polish, Czech, Romanian, Turkish,
Russian, Ukrainian, Finnish, Dutch, the Scandinavian languages and others write them, and the CJK ones."""


def plain_name(text: str) -> str:
    """In lower case, without accents and dots: `Déc.` and `DEC` are the same month."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter) and letter not in ". ")


MONTHS: Final = MappingProxyType(
    {plain_name(name): number for number, names in enumerate(_NAMES, start=1) for name in names.split()}
)
"""Number of the month by its plain name."""

HALVES: Final = MappingProxyType(
    {
        plain_name(name): hours
        for hours, names in ((0, "am 上午 午前 오전"), (12, "pm 下午 午後 오후"))
        for name in names.split()
    }
)  # fmt: skip
"""Hours before the half of the day, by its plain name."""

ZONES: Final = MappingProxyType(
    {
        "Z": 0, "UTC": 0, "GMT": 0, "UT": 0, "WET": 0, "WEST": 60, "BST": 60, "CET": 60, "CEST": 120, "MEZ": 60,
        "MESZ": 120, "MET": 60, "MEST": 120, "EET": 120, "EEST": 180, "SAST": 120, "CAT": 120, "WAT": 60, "EAT": 180,
        "MSK": 180, "MSD": 240, "SAMT": 240, "YEKT": 300, "OMST": 360, "NOVT": 420, "KRAT": 420, "IRKT": 480,
        "YAKT": 540, "VLAT": 600, "MAGT": 660, "PETT": 720, "TRT": 180, "IDT": 180, "IRST": 210, "GST": 240,
        "AZT": 240, "PKT": 300, "UZT": 300, "IST": 330, "NPT": 345, "BDT": 360, "ICT": 420, "WIB": 420, "WITA": 480,
        "WIT": 540, "SGT": 480, "MYT": 480, "HKT": 480, "PHT": 480, "AWST": 480, "JST": 540, "KST": 540, "ACST": 570,
        "ACDT": 630, "AEST": 600, "AEDT": 660, "NZST": 720, "NZDT": 780, "BRT": -180, "BRST": -120, "ART": -180,
        "UYT": -180, "CLT": -240, "CLST": -180, "PET": -300, "COT": -300, "VET": -240, "NST": -210, "NDT": -150,
        "AST": -240, "ADT": -180, "EST": -300, "EDT": -240, "CST": -360, "CDT": -300, "MST": -420, "MDT": -360,
        "PST": -480, "PDT": -420, "AKST": -540, "AKDT": -480, "HST": -600, "HDT": -540, "SST": -660,
    }
)  # fmt: skip
"""Minutes east of Greenwich by the names programs print; of ambiguous ones the most common meaning."""
