package ftfy

// badness lists the sequences that are more likely mojibake than meant (BADNESS_RE of ftfy/badness.py): for each character
// of the sequence the categories that it may be in. Optional characters of the library's rules make a rule of their own.
var badness = [][]category{
	{c1},
	{bad | lowerAccented | upperAccented | box | startPunctuation | endPunctuation | currency | numeric | law, bad},
	{asciiLower | asciiUpper, lowerCommon | upperCommon, bad},
	{bad, lowerAccented | upperAccented | box | startPunctuation | endPunctuation | currency | numeric | law},
	{lowerAccented | lowerCommon | box | endPunctuation | currency | numeric, upperAccented},
	{box | endPunctuation | currency | numeric, lowerAccented},
	{lowerAccented | box | endPunctuation, currency},
	{whiteSpace, upperAccented, currency},
	{upperAccented | box, numeric | law},
	{lowerAccented | upperAccented | box | currency | endPunctuation, startPunctuation, numeric},
	{lowerAccented | upperAccented | currency | numeric | box | law, endPunctuation, startPunctuation},
	{currency | numeric | box, startPunctuation},
	{asciiLower, upperAccented, startPunctuation | currency},
	{box, kaomoji},
	{lowerAccented | upperAccented | currency | numeric | startPunctuation | endPunctuation | law, box},
	{box, endPunctuation},
	{lowerAccented | upperAccented, startPunctuation | endPunctuation, word},
	// The ligature œ when no unaccented Latin letter follows.
	{ligatureOE, notASCIILetter},
	// Degree signs after capital letters.
	{upperAccented, degree},
	// Common two-character mojibake of Windows-1252.
	{lead1252, trail1252 | startPunctuation | endPunctuation},
	{multiplication, superscript},
	// Arabic read as Windows-1252 contains common characters, so four in a row are asked for.
	{leadArabic, arabicTrail, leadArabic, arabicTrail},
	// The start of three-character sequences of some South Asian alphabets read as Windows-1252.
	{graveA, trailSouthAsian},
	// MacRoman.
	{squareRoot, trailSquareRoot},
	{almostEqual, trailAlmostEqual},
	{lowQuote, diaeresisA, trailDiaeresisA},
	{lowQuote, lowQuoteSecond, lowQuoteThird},
	// U+2000 and the following read as Windows-1251.
	{smallVe, dje},
	// Latin-1 or Cyrillic read as Windows-1251.
	{lead1251, c1 | bad | startPunctuation | endPunctuation | currency | degree | micro, lead1251},
	// Windows-1251 mojibake of Latin-1 mojibake of Windows-1252, with a Latin letter nearby.
	{capitalGhe, shortU, capitalVe, dje, capitalVe, notLineFeed, asciiLower | asciiUpper | space},
	// à, á and the no-break space read as Windows-1252.
	{tildeA, trailTildeA},
	{asciiLower, tildeA | circumflexA, space},
	{asciiLower, whiteSpace, tildeA | circumflexA, space},
	{textStart, tildeA | circumflexA, space},
	// Â before a character that is encoded as itself.
	{asciiLower | sentenceEnd | endPunctuation, circumflexA, space | startPunctuation | endPunctuation},
	// U+2000 and the following read as Windows-1253.
	{smallBeta, euro, trailBeta},
	// Latin-1 or Greek read as Windows-1253.
	{lead1253, c1 | bad | startPunctuation | endPunctuation | currency | degree, lead1253},
	// U+2000 and the following read as Windows-1257.
	{macronA, euro},
}

const arabicTrail = common | currency | bad | numeric | startPunctuation | trailArabic
