"""The words of many languages that say in which order steps are done, as patterns."""

FIRST = (
    "first|firstly|first of all|to begin with|to start with|start by|begin by|"
    "zuerst|zunächst|als erstes|erstens|zu beginn|"
    "primero|en primer lugar|para empezar|"
    "d'abord|d’abord|tout d'abord|tout d’abord|premièrement|en premier lieu|pour commencer|"
    "primeiro|em primeiro lugar|prima di tutto|per prima cosa|"
    "पहले|सबसे पहले|सर्वप्रथम|أولا|أولاً|اولا|بداية|بدايةً|في البداية|"
    "eerst|ten eerste|om te beginnen|najpierw|na początku|po pierwsze|w pierwszej kolejności|"
    "сначала|сперва|для начала|прежде всего|во-первых|спочатку|спершу|насамперед|по-перше|"
    "önce|öncelikle|ilk olarak|ilk önce|ראשית|קודם כל|תחילה|קודם|בהתחלה|"
    "প্রথমে|সবার আগে|প্রথমত|먼저|우선|첫째|첫 번째로|처음에|"
    "đầu tiên|trước tiên|trước hết|thứ nhất|pertama|pertama-tama|mula-mula|"
    "först|först och främst|först av allt|først|først og fremmest|nejprve|nejdřív|nejdříve|"
    "în primul rând|mai întâi|először|első lépésként|πρώτα|αρχικά|ensin|ensiksi|"
    "börja med att|start med å|start med at|begynn med å|begin met|beginne mit|beginnen sie mit|"
    "commence par|commencez par|empieza por|comience por|comece por|comincia con|zacznij od|"
    "начни с|начните с|ابتدا|نخست|پہلے|سب سے پہلے"
)
# After one of these, a text that has no first word is a sequence, too, if there are two of them.
NEXT = (
    "then|and then|after that|afterwards|afterward|after this|thereafter|subsequently|once done|"
    "dann|danach|anschließend|daraufhin|im anschluss|als nächstes|als zweites|im nächsten schritt|"
    "luego|después|a continuación|más tarde|acto seguido|entonces|"
    "ensuite|puis|après cela|après ça|par la suite|"
    "depois|em seguida|poi|dopo|successivamente|"
    "फिर|उसके बाद|इसके बाद|तत्पश्चात|ثم|وبعد ذلك|بعد ذلك|بعدها|"
    "daarna|vervolgens|daaropvolgend|następnie|a następnie|potem|później|"
    "затем|а затем|потом|после этого|далее|после чего|потім|далі|після цього|після того|"
    "sonra|daha sonra|ardından|sonrasında|bundan sonra|אחר כך|לאחר מכן|אחרי זה|ואז|"
    "তারপর|এরপর|তারপরে|এর পরে|그다음|그 다음|그런 다음|그다음에|그 다음에|다음으로|이후|그 후|"
    "이어서|"
    "sau đó|tiếp theo|kế tiếp|rồi|kemudian|setelah itu|lalu|selanjutnya|sesudah itu|"
    "därefter|derefter|deretter|poté|potom|apoi|după aceea|ezután|azután|aztán|majd|utána|"
    "sobald das erledigt ist|sobald das fertig ist|wenn das erledigt ist|wenn das fertig ist|"
    "una vez hecho esto|hecho esto|une fois cela fait|cela fait|ceci fait|feito isso|fatto questo|"
    "fatto ciò|als dat klaar is|когда это будет готово|setelah selesai|sau khi xong|"
    "έπειτα|στη συνέχεια|μετά|sitten|sen jälkeen|سپس|بعد از آن|پھر|اس کے بعد"
)
LAST = (
    "finally|in the end|at the end|as a last step|"
    "schließlich|abschließend|zum schluss|zuletzt|am ende|als letztes|"
    "finalmente|por último|al final|para terminar|enfin|finalement|pour finir|pour terminer|"
    "por fim|infine|"
    "अंत में|आखिर में|अन्त में|أخيرا|أخيراً|وأخيرا|وأخيراً|في النهاية|وفي النهاية|في الختام|"
    "ten slotte|tenslotte|tot slot|uiteindelijk|na koniec|wreszcie|w końcu|"
    "наконец|в конце|в завершение|напоследок|нарешті|наприкінці|насамкінець|на завершення|"
    "son olarak|en son|sonunda|לבסוף|לסיום|ולבסוף|בסוף|সবশেষে|শেষে|পরিশেষে|마지막으로|끝으로|"
    "cuối cùng|sau cùng|terakhir|akhirnya|slutligen|till sist|til slut|til slutt|til sidst|nakonec|"
    "în final|în cele din urmă|végül|τέλος|τελικά|lopuksi|در نهایت|در پایان|آخر میں"
)
# They count only after a first word, because they also mean other things.
WEAK = (
    "next|second|secondly|third|thirdly|fourth|fourthly|lastly|last|also|zweitens|drittens|"
    "viertens|"
    "segundo|tercero|en segundo lugar|en tercer lugar|deuxièmement|troisièmement|"
    "ثانيا|ثانياً|ثالثا|ثالثاً|दूसरा|तीसरा|दूसरे|तीसरे|ten tweede|ten derde|po drugie|po trzecie|"
    "во-вторых|в-третьих|по-друге|по-третє|ikinci olarak|üçüncü olarak|שנית|שלישית|"
    "দ্বিতীয়ত|তৃতীয়ত|둘째|셋째|thứ hai|thứ ba|kedua|ketiga|för det andra|"
    "sedan|pak|אז"
)
FIRST_UNSPACED = "首先|第一|先|まず|最初に|はじめに|初めに|ขั้นแรก|อันดับแรก|ก่อนอื่น|เริ่มจาก"
NEXT_UNSPACED = (
    "然后|然後|接着|接著|接下来|接下來|其次|随后|隨後|之后|之後|再|第二|第三|第四|"
    "完成后(?=[，,])|做完后(?=[，,])|完成後(?=[，,])|終わったら|"
    "次に|その後|それから|続いて|つぎに|そして|จากนั้น|หลังจากนั้น|ต่อไป"
)
LAST_UNSPACED = "最后|最後に|最後|最终|最終|おわりに|สุดท้าย|ท้ายที่สุด"
INSIDE = (
    "zuerst|zunächst|dann|danach|anschließend|schließlich|zuletzt|abschließend|primero|luego|"
    "después|finalmente|d'abord|d’abord|ensuite|puis|enfin|finalement|"
    "eerst|daarna|vervolgens|ten slotte|tenslotte|tot slot|först|därefter|slutligen|"
    "først|derefter|deretter|następnie|potem|затем|потом|потім|potom|poté|nejprve|nakonec|"
    "den sedan|det sedan|dem sedan"
)
# They begin a step without a comma or “and” before them, too.
AFTER_ANYTHING = "then|puis|ثم|وبعد ذلك|फिर|उसके बाद|इसके बाद"
JOINING = (
    "and|und|y|e|et|sowie|och|og|oraz|и|і|та|ve|và|এবং|और|तथा|"
    r"en(?!\ (?:primer|segundo|tercer|premier|fin|son)\b)|i(?=\ (?:na|wreszcie|w|potem)\b)|"
    r"dan(?=\ (?:terakhir|akhirnya|kemudian|setelah))"
)
# Thai has no full stops.
THAI = "จากนั้น|หลังจากนั้น|ต่อไป|สุดท้าย|ท้ายที่สุด"
