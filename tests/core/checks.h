// Checks that need no Python: the kernels of this machine against the scalar ones, for processors
// that are only emulated. Each says on stderr what differs, and returns whether nothing did.
#pragma once

bool check_md5();
// Of its colours, quotients and pictures one in so many, an odd number.
bool check_pdq(unsigned every);
bool check_ring();
bool check_scan();
