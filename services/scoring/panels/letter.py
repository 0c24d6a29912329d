"""The commitment letter (承诺书) that experts sign before their first mark, and its version: the digest of its text."""

import hashlib

TEXT = """评审专家承诺书

一、本人按照评选规则独立、客观、公正地评分，不受任何单位和个人影响。
二、本人与评审项目存在利害关系的，主动申报并回避。
三、在结果公布之前，本人不向任何人透露评审项目、评分和评审情况，不打听其他专家的评分。
四、本人不私下接触申报单位，不收受任何财物。
五、以上承诺如有违反，本人愿意承担相应责任。
"""
VERSION = hashlib.sha256(TEXT.encode()).hexdigest()[:16]
