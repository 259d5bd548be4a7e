"""Documents with questions: records, files, bring-your-own JSONL, and generated chronicles."""
