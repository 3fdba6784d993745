// Checks that need no Python, in files of their own. Each says what differs and returns how many
// differences it saw.
#pragma once

// Every PDQ kernel of the machine against the scalar one, and the luma of every colour.
int check_pdq();
