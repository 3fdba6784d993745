"""The audit log: one line for each decision, each bound to the line before it."""

from screener.reporting.audit.log import AuditLog as AuditLog
from screener.reporting.audit.log import claim_log as claim_log
from screener.reporting.audit.log import open_log as open_log
from screener.reporting.audit.verification import Verification as Verification
from screener.reporting.audit.verification import verify as verify
